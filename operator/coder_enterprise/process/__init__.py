"""What every command of ours needs as a process, whatever it does: a start, signals, addresses to listen on."""
