"""Sizes and durations as people read them."""

_SIZES = ("B", "kB", "MB", "GB", "TB", "PB")


def data_size(count: float | None) -> str:
    """Bytes with a decimal prefix and three digits: `460 kB`, `12.4 MB`."""
    if count is None:
        return "—"
    value, unit = float(count), 0
    while abs(value) >= 999.5 and unit < len(_SIZES) - 1:
        value, unit = value / 1000, unit + 1
    return f"{_three_digits(value) if unit else round(value)} {_SIZES[unit]}"


def duration(seconds: float | None) -> str:
    """Seconds as `340 ms`, `4.1 s`, `2 min 05 s`, `3 h 12 min`, `2 d 04 h`."""
    if seconds is None:
        return "—"
    if seconds < 59.5:
        if 0 < seconds < 0.9995:
            return f"{_three_digits(1000 * seconds)} ms"
        return f"{_three_digits(seconds) if seconds < 9.95 else round(seconds)} s"
    if seconds < 3599.5:
        return "{} min {:02d} s".format(*divmod(round(seconds), 60))
    if seconds < 86370:
        return "{} h {:02d} min".format(*divmod(round(seconds / 60), 60))
    return "{} d {:02d} h".format(*divmod(round(seconds / 3600), 24))


def number(count: float | None) -> str:
    """A whole number with its thousands apart: `12,000`."""
    return "—" if count is None else f"{count:,.0f}"


def counted(count: int, thing: str) -> str:
    """A count of things: `1 round`, `1,000 rounds`."""
    return f"{number(count)} {thing}{'' if count == 1 else 's'}"


def _three_digits(value: float) -> str:
    text = f"{value:.0f}" if abs(value) >= 99.95 else f"{value:.1f}" if abs(value) >= 9.995 else f"{value:.2f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
