"""How often the SLO engine pages for nothing, and how soon for something, with its statistical gate and without it."""
