"""What is measured, each as a program that runs by itself and says on standard output when it began and ended."""
