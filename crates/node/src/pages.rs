//! The queues' pages in the node's store.

use std::sync::Arc;

use broker::{Lsn, PageDamage, PageRef, Pages};
use storage::{PageStore, Wal};

/// [`Pages`] over [`PageStore`].
pub(crate) struct StoredPages {
    pub(crate) store: Arc<PageStore>,
    pub(crate) wal: Arc<Wal>,
}

impl Pages for StoredPages {
    fn reserve(&self, bytes: &[u8]) -> PageRef {
        to_broker(self.store.reserve(bytes))
    }

    fn read(&self, page: PageRef, out: &mut Vec<u8>) -> Result<(), PageDamage> {
        self.store.read(to_store(page), out).map_err(|damage| PageDamage {
            file: damage.file.display().to_string(),
            offset: damage.offset,
            reason: damage.reason,
            is_lost: damage.is_lost,
        })
    }

    fn will_need(&self, page: PageRef) {
        self.store.will_need(to_store(page));
    }

    fn retain(&self, page: PageRef) {
        self.store.retain(to_store(page));
    }

    fn release(&self, page: PageRef, after: Lsn) {
        // A journal that is cleared instead of written to has a position of its own behind `after`.
        let after = self.wal.last().max(storage::Lsn(after.0));
        self.store.release(to_store(page), after);
    }
}

/// The store's name for a page.
pub(crate) fn to_store(PageRef { block, len, check }: PageRef) -> storage::PageRef {
    storage::PageRef { block, len, check }
}

/// The broker's name for a page.
fn to_broker(storage::PageRef { block, len, check }: storage::PageRef) -> PageRef {
    PageRef { block, len, check }
}
