import socket
while True:
  try:
    conn.drain_events(timeout=2)
  except socket.timeout:
    pass # This will do for now
