"""The bridge to coding in Brainf**k and Befunge-93: interpreters, problems, programs as environments, transfer, models.

>>> from esolang import befunge_reference, brainfuck_reference
>>> brainfuck_reference.run(",[.,]", b"hello").output
b'hello'
>>> befunge_reference.run('"!",@').output
b'!'
"""
