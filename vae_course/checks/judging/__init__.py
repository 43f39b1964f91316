"""How every check works: run an answer, compare it, name the mistake."""
