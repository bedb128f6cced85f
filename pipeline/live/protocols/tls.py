"""TLS to a camera."""

from __future__ import annotations

import socket
import ssl

import certifi

UNVERIFIED = "if its certificate is its own: verify_tls: false, or SSL_CERT_FILE=its file"  # advice


def authorities_file() -> str:
    """Return the file of trusted authorities: SSL_CERT_FILE, the system's, else certifi's."""
    return ssl.get_default_verify_paths().cafile or certifi.where()


def begin_tls(line: socket.socket, host: str, *, verify: bool) -> ssl.SSLSocket:
    """Begin TLS on a connection to a camera, which is closed if that fails.

    Args:
        line: the connection; its timeout holds.
        host: name in the certificate.
        verify: refuse a certificate that no known authority signed. Without it old protocols are
            accepted too, which are all that old cameras have.

    Raises:
        OSError: if the camera speaks no TLS, or its certificate is not accepted.
    """
    try:
        return _context(verify).wrap_socket(line, server_hostname=host)
    except BaseException:
        line.close()
        raise


def _context(verify: bool) -> ssl.SSLContext:
    if verify:
        return ssl.create_default_context(cafile=authorities_file())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    return context
