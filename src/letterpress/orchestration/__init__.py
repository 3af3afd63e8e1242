"""What Airflow needs beside the DAG files, and the steps that DAG tasks and the command line share.

No ranking logic. May ask every room below it.
"""
