"""What each `pinlu` command takes and does; what it needs is imported when it runs."""
