conn = Connection(rabbit_url, heartbeat=10)
# we now need to call the function heartbeat_check at least twice as often on the connection

# consume function will become.
def consume():
    new_conn = establish_connection()
    while True:
        try:
            new_conn.drain_events(timeout=2)
        except socket.timeout:
            new_conn.heartbeat_check()
