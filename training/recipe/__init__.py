"""How the bundled recognizer was trained: its data, labels and corrections. Imports crops."""
