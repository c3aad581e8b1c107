"""The HTML report: one self-contained file, drawn by small scripts of its own from data that is embedded in it.

`page` renders, `content` gathers, `curves` and `graph` make the data small enough; the templates, styles and scripts lie beside.
"""
