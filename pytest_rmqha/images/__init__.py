"""Which images a line needs and how each is made; the engine's part is in ``adapters/images``."""
