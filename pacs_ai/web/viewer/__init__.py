"""The pictures of a study beside its report: images, heat maps, and what the node says of them.

All of it comes from what the node has stored. Pictures are made when they are asked for, a few at
a time.
"""
