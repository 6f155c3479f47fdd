"""How often predictions are right, as far as confidence tells before labels do."""
