"""From the EMAIL_* settings to MAILERS: what the command `migratemailers` does.

Settings: `configuration` has their values and `expressions` what the settings files say, which
`assignments` and `namespaces` read; `backends` knows which options a backend takes, and `block`
writes MAILERS.

Code: `audit` reads `files`, whose `names` mean something in a `project`, and asks the `rules` about
each module, or its `context`. `imports` plans the changes that are safe, and `rewrite` makes them.
"""
