"""How the URL of a Redis server may begin."""

SENTINEL, CLUSTER = "redis+sentinel://", "redis+cluster://"
SCHEMES = ("redis://", "rediss://", "unix://", SENTINEL, CLUSTER)
