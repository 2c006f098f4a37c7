"""What every supervisor does: start children, judge their ends, restart them, end them.

`restart` and `intensity` decide and are pure. `child` is what a supervisor knows of one child, `requests` what others
ask of it, `report` where its events go. `nursery` starts and ends processes; `base` is the one task in which a
supervisor decides everything, `dynamic` the same for children that come and go; `supervisor_process` is the process
in which it runs, and `root` what stands around the top of a tree.
"""
