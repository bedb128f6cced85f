"""What keeps the events of a run until Redis has them: a file, or memory while the disk is full.

The entry point is `outbox.Outbox`; `outbox_folder.open_outboxes` finds those of earlier runs.
"""
