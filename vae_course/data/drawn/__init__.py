"""Pictures drawn by a program, with known factors: digits and faces."""
