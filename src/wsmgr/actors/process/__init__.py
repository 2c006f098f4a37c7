"""What runs one actor: its mailbox, its calls and timers, the loop that serves them, and its end.

`base` is what every process is, a supervisor's too. `runner` is the life of an actor, and `dispatch` the way of one
message into a callback. Nothing here starts or restarts a process: that is `supervision`.
"""
