//! Laws of the core on generated data: see `tests/`.
