"""Files as they lie on a disk: what they are, how large they would grow, and the sheets of cells in them."""
