"""From the EMAIL_* settings to MAILERS: what the command `migratemailers` does.

`configuration`, `assignments`, `namespaces`, `expressions`, `backends` and `block` write the
settings of a project as MAILERS. `files`, `names`, `project`, `flow` and `audit`, with the rules in
`calls`, `deferred`, `attachments`, `declarations` and `definitions`, find what Django 6.1
deprecates; `imports` and `rewrite` change what can be changed without a doubt.
"""
