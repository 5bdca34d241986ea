"""`doit watch`: an edit serves before its image is made, and the image follows."""
