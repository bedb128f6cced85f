"""Networks that find people in an image and describe their appearance. Imports inference."""
