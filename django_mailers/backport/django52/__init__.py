"""What Django 6.0 has already. (Django 5.2: this whole folder.)"""
