"""What the test modules share: they import it from here, never from each other."""
