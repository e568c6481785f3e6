def run():
    while True:
        try:
            consume()
        except conn.connection_errors:
            pass
