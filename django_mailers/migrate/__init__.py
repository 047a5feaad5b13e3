"""From the EMAIL_* settings to MAILERS: what the command `migratemailers` does.

`configuration`, `expressions`, `backends` and `block` write the settings of a project as MAILERS.
`files`, `names`, `project` and `audit`, with the rules in `calls`, `declarations` and
`definitions`, find what Django 6.1 deprecates; `imports` and `rewrite` change what can be changed
without a doubt.
"""
