#include "protocols/base/secret.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Locking and the core file go by pages, so every secret has pages of its own. Asking the system
 * for them costs tens of microseconds a time, and a protocol makes vectors in every step: blocks
 * that are given back are wiped and kept. A block in the store is all zero but for its first word,
 * the link. */
#define PAGE_BYTES ((size_t)4096)
#define STORE_BYTES_MAX ((size_t)512 << 20)
#define HUGE_BYTES ((size_t)2 << 20)
#define N_CLASSES 256

typedef struct block {
    struct block *next;
} block;

static struct {
    pthread_mutex_t lock;
    block *free[N_CLASSES];
    size_t bytes;
} store = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Four sizes per doubling: at most a fifth of a block is unused. */
static size_t class_pages(size_t len, size_t *out_class) {
    size_t pages = len / PAGE_BYTES + (len % PAGE_BYTES != 0 || len == 0 ? 1 : 0);
    if (pages <= 4) {
        *out_class = pages - 1;
        return pages;
    }
    unsigned log2 = 63u - (unsigned)__builtin_clzll(pages - 1); /* 2^log2 < pages <= 2^(log2 + 1) */
    size_t step = (size_t)1 << (log2 - 2), n_steps = (pages + step - 1) / step; /* 5 to 8 */
    *out_class = 4 * ((size_t)log2 - 1) + n_steps - 5;
    return n_steps * step;
}

static void *store_take(size_t class, size_t bytes) {
    pthread_mutex_lock(&store.lock);
    block *b = store.free[class];
    if (b != NULL) {
        store.free[class] = b->next;
        store.bytes -= bytes;
    }
    pthread_mutex_unlock(&store.lock);
    if (b != NULL)
        b->next = NULL;
    return b;
}

/* False when the store is full. */
static bool store_put(void *data, size_t class, size_t bytes) {
    block *b = data;
    pthread_mutex_lock(&store.lock);
    bool fits = bytes <= STORE_BYTES_MAX - store.bytes;
    if (fits) {
        b->next = store.free[class];
        store.free[class] = b;
        store.bytes += bytes;
    }
    pthread_mutex_unlock(&store.lock);
    return fits;
}

/* Both may fail where the system sets a limit; the secret is then as safe as the process is. */
static void keep_private(void *data, size_t bytes) {
    (void)madvise(data, bytes, MADV_DONTDUMP);
    (void)mlock(data, bytes);
}

static void *system_take(size_t bytes) {
    void *data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED)
        return NULL;
    if (bytes >= HUGE_BYTES)
        (void)madvise(data, bytes,
                      MADV_HUGEPAGE); /* fewer page faults, where the system has them */
    keep_private(data, bytes);
    return data;
}

#if defined(__SANITIZE_ADDRESS__)
/* Sanitizers see exact lengths, leaks and use after release only without the store. */
static void *take(size_t len) {
    void *data = NULL;
    size_t bytes = len == 0 ? 1 : len;
    if (posix_memalign(&data, PAGE_BYTES, bytes) != 0)
        return NULL;
    keep_private(data, bytes);
    memset(data, 0, bytes);
    (void)system_take;
    (void)store_take;
    (void)class_pages;
    return data;
}

/* The system keeps a record for every stretch of memory that is unlike its neighbours, and has a
 * limit for them. */
static void give_back(void *data, size_t len) {
    size_t bytes = len == 0 ? 1 : len;
    (void)store_put;
    (void)munlock(data, bytes);
    (void)madvise(data, bytes, MADV_DODUMP);
    free(data);
}
#else
static void *take(size_t len) {
    size_t class, bytes = class_pages(len, &class) * PAGE_BYTES;
    void *data = store_take(class, bytes);
    return data != NULL ? data : system_take(bytes);
}

static void give_back(void *data, size_t len) {
    size_t class, bytes = class_pages(len, &class) * PAGE_BYTES;
    if (!store_put(data, class, bytes))
        (void)munmap(data, bytes);
}
#endif

pl_status pl_secret_alloc(size_t len, void *out_ptr) {
    void *data = len > SIZE_MAX / 4 ? NULL : take(len);
    if (data == NULL)
        return pl_fail(PL_LIMIT, "no memory for %zu bytes of shares", len);
    memcpy(out_ptr, &data, sizeof data);
    return PL_OK;
}

void pl_secret_free(void *data, size_t len) {
    if (data == NULL)
        return;
    pl_wipe(data, len);
    give_back(data, len);
}

void pl_wipe(void *data, size_t len) {
    if (len != 0)
        OPENSSL_cleanse(data, len);
}

bool pl_secret_equal(const void *a, const void *b, size_t len) {
    return len == 0 || CRYPTO_memcmp(a, b, len) == 0;
}
