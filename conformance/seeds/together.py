"""Runs pieces of code one after another as one program, as a reader of a note puts them together.

Each argument is a file beside this one, or `-c CODE`. A piece may go on inside the block that the
piece before it opened.
"""

import pathlib
import sys

pieces = []
words = iter(sys.argv[1:])
for word in words:
    pieces.append(next(words) if word == "-c" else (pathlib.Path(__file__).parent / word).read_text())
exec(compile("\n".join(pieces), "together", "exec"), {"__name__": "__main__"})
