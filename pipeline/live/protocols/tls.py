"""TLS to a camera."""

from __future__ import annotations

import ssl

import certifi

UNVERIFIED = "if its certificate is its own: verify_tls: false, or SSL_CERT_FILE=its file"  # advice


def authorities_file() -> str:
    """Return the file of trusted authorities: SSL_CERT_FILE, the system's, else certifi's."""
    return ssl.get_default_verify_paths().cafile or certifi.where()


def tls_context(*, verify: bool) -> ssl.SSLContext:
    """Return the settings of a connection to a camera.

    Args:
        verify: refuse a certificate that no known authority signed. Without it old protocols are
            accepted too, which are all that old cameras have.
    """
    if verify:
        return ssl.create_default_context(cafile=authorities_file())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    return context
