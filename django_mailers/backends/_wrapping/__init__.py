"""`Wrapper`, and its parts: aliases and circles, copies of messages, the mailers in use."""
