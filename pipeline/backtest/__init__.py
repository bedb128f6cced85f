"""Decide over observations again, without a model, and compare what comes of two configurations.

May import camera_settings, config, event_chain, observations, stages, types and models.
"""
