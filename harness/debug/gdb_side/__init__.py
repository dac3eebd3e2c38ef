"""What runs inside gdb: the standard library and ``gdb`` alone, whatever Python gdb has."""
