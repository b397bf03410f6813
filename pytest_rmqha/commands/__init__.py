"""The commands of ``rmqha``, one file each: ``add(subparsers)`` and a function that returns the exit code."""
