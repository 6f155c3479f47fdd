"""The page's own elements (grid, tiles, waterfall): dumb renderers of finished values, safe against any text.

Their JavaScript writes text with `textContent` only, so nothing that telemetry carries can become markup.
"""
