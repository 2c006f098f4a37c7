"""x"""
def declare(app): pass
