"""gRPC with mutual TLS 1.3 and nothing less. Whoever needs gRPC takes it from here, not by an import of its own.

gRPC for Python has no setting for the version of TLS. Its cipher list concerns TLS 1.2 alone, though: with a list that an
ECDSA certificate cannot serve, no handshake of 1.2 succeeds, and 1.3 is left as it is. The list is read once, when the first
credentials are made, so it is set before gRPC is imported.
"""

import logging
import os

os.environ["GRPC_SSL_CIPHER_SUITES"] = "ECDHE-RSA-AES256-GCM-SHA384"  # TLS 1.2 for RSA certificates, of which there are none
os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # a peer that is not there yet is no news; what matters is told by us

import grpc as grpc  # noqa: PLC0414 - others take it from here
import grpc.aio

from coterie.runtime import certificates
from coterie.runtime.identity import Credentials
from coterie.runtime.proxy import proxy_for
from coterie.runtime.transport.wire import MESSAGE_BYTES

SERVICE, METHOD = "coterie.Peers", "Exchange"
KEEP_ALIVE_SECONDS, KEEP_ALIVE_PATIENCE_SECONDS = 10.0, 10.0
STREAMS_PER_CONNECTION = 4
METADATA_BYTES = 4096

logging.getLogger("grpc").setLevel(logging.CRITICAL)

_COMMON: list[tuple[str, str | int]] = [
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.max_metadata_size", METADATA_BYTES),
    ("grpc.http2.max_frame_size", 1 << 20),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
]


def _kept_alive() -> list[tuple[str, int]]:
    """A connection that is silent for so long is asked for a sign of life, and given up without one.

    Any ping counts, also those by which gRPC measures the connection: for them it has a patience of its own, a minute by default.
    """
    every, patience = int(1000 * KEEP_ALIVE_SECONDS), int(1000 * KEEP_ALIVE_PATIENCE_SECONDS)
    least = [(f"grpc.http2.min_{which}_interval_without_data_ms", every // 2) for which in ("ping", "recv_ping")]
    return [
        ("grpc.keepalive_time_ms", every),
        ("grpc.keepalive_timeout_ms", patience),
        ("grpc.http2.ping_timeout_ms", patience),
        *least,
    ]


def channel(credentials: Credentials, address: str, host: str) -> "grpc.aio.Channel":
    """A channel to `address`, where a certificate for `host` must answer. Each has its own connection and resolves names anew."""
    secure = grpc.ssl_channel_credentials(
        certificates.pem(credentials.authority), certificates.key_pem(credentials.key), certificates.pem(credentials.certificate)
    )
    own: list[tuple[str, str | int]] = [("grpc.ssl_target_name_override", host), ("grpc.use_local_subchannel_pool", 1)]
    proxy = proxy_for(address)
    own.append(("grpc.enable_http_proxy", 0) if proxy is None else ("grpc.http_proxy", proxy))
    return grpc.aio.secure_channel(address, secure, options=[*_COMMON, *_kept_alive(), *own])


def server(credentials: Credentials, exchange: object, address: str, *, share_port: bool) -> "tuple[grpc.aio.Server, int]":
    """A server, not yet started, and its port. exchange: the coroutine function for each stream. Raises OSError.

    share_port: let a socket of the same user that only reserves the port be bound beside it.
    """
    options = [*_COMMON, *_kept_alive(), ("grpc.so_reuseport", int(share_port)), ("grpc.max_concurrent_streams", STREAMS_PER_CONNECTION)]
    made = grpc.aio.server(options=options)
    handler = grpc.stream_stream_rpc_method_handler(exchange)
    made.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler})])
    pair = (certificates.key_pem(credentials.key), certificates.pem(credentials.certificate))
    secure = grpc.ssl_server_credentials([pair], certificates.pem(credentials.authority), require_client_auth=True)
    try:
        port = made.add_secure_port(address, secure)
    except RuntimeError as error:
        raise OSError(f"{address} cannot be listened on: {error}") from None
    return made, port
