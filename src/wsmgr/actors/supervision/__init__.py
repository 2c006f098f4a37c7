"""What every supervisor does: start children, judge their ends, restart them, end them.

`restart` and `intensity` decide and are pure; `nursery` starts and ends processes; `base` is the one task in which a
supervisor decides everything; `root` is what stands around the top of a tree.
"""
