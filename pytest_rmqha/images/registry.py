"""Image names and registries: whom a name asks, what it is called behind a prefix, what a refusal means."""

from __future__ import annotations

DEFAULT = "docker.io"
OF_THIS_IMAGE_ALONE = ("not found", "manifest unknown", "denied", "unauthorized", "name unknown", "no basic auth")
NOBODY_THERE = ("no such host", "lookup ", "connection refused", "timeout", "unreachable")


def registry_of(image: str) -> str:
    """The host that a name asks: what stands before the first slash, if it looks like a host."""
    first, slash, _ = image.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else DEFAULT


def through(prefix: str | None, image: str) -> str:
    """The name behind a registry prefix, which takes the place of the image's own registry."""
    if not prefix:
        return image
    host = registry_of(image)
    rest = image.removeprefix(f"{host}/") if host != DEFAULT else image.removeprefix(f"{DEFAULT}/")
    return f"{prefix.rstrip('/')}/{rest}"


def name_and_tag(image: str) -> tuple[str, str]:
    """Both halves as the engine wants them; without a tag it is ``latest`` (none at all would pull every tag)."""
    name, at, digest = image.partition("@")
    if at:
        return name, digest
    name, colon, tag = image.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (image, "latest")


def is_of_this_image_alone(refusal: str) -> bool:
    """The registry answered and does not give this image; others may still be there."""
    text = refusal.lower()
    return any(sign in text for sign in OF_THIS_IMAGE_ALONE) and not any(sign in text for sign in NOBODY_THERE)


def is_exact(image: str) -> bool:
    """Names its own registry or its content: a prefix has no say in it."""
    return registry_of(image) != DEFAULT or image.startswith(f"{DEFAULT}/") or "@" in image
