//! The socket in the data directory. Whoever may open the directory may command the node, so the
//! socket is its owner's alone.

use std::{
    fs::{self, File, Permissions},
    io,
    os::{
        fd::AsRawFd,
        unix::{
            fs::PermissionsExt,
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
};

/// The socket's name in the data directory.
pub const SOCKET_NAME: &str = "ctl.sock";

/// The kernel takes addresses of at most 107 bytes.
const ADDRESS_LEN_MAX: usize = 107;

/// The socket's place in the directory, for as long as somebody listens: dropping it takes it away.
#[derive(Debug)]
pub struct SocketName(PathBuf);

impl Drop for SocketName {
    fn drop(&mut self) {
        // Who does not find it gone replaces it.
        drop(fs::remove_file(&self.0));
    }
}

/// Listens in a data directory. A socket that an earlier process left behind is replaced; the
/// caller holds the directory's lock, so nobody else listens there.
///
/// # Errors
/// The operating system's.
pub fn bind(data_dir: &Path) -> io::Result<(UnixListener, SocketName)> {
    let path = data_dir.join(SOCKET_NAME);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = at_address(data_dir, |address| UnixListener::bind(address))?;
    let name = SocketName(path);
    fs::set_permissions(&name.0, Permissions::from_mode(0o600))?;
    Ok((listener, name))
}

/// Reaches the node of a data directory.
pub(crate) fn connect(data_dir: &Path) -> io::Result<UnixStream> {
    at_address(data_dir, |address| UnixStream::connect(address))
}

/// Gives the socket's path, or when it is too long for an address, a short way to it through the
/// open directory.
fn at_address<T>(data_dir: &Path, open: impl Fn(&Path) -> io::Result<T>) -> io::Result<T> {
    let path = data_dir.join(SOCKET_NAME);
    if path.as_os_str().len() <= ADDRESS_LEN_MAX {
        return open(&path);
    }
    let dir = File::open(data_dir)?;
    let short = PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd())).join(SOCKET_NAME);
    open(&short)
}
