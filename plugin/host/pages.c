#include "host.h"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

/* What is looked for among the objects of the process: the one that has an address. */
struct search {
    uintptr_t address;
    size_t released;
};

static int contains(const struct dl_phdr_info *object, uintptr_t address)
{
    const ElfW(Phdr) *p;

    for (p = object->dlpi_phdr; p < object->dlpi_phdr + object->dlpi_phnum; p++) {
        if (p->p_type == PT_LOAD && address - object->dlpi_addr - p->p_vaddr < p->p_memsz) {
            return 1;
        }
    }
    return 0;
}

/* release_object is called for each object of the process until it has found the one. */
static int release_object(struct dl_phdr_info *object, size_t size, void *data)
{
    struct search *search = data;
    const uintptr_t page = (uintptr_t) sysconf(_SC_PAGESIZE);
    const ElfW(Phdr) *p;
    uintptr_t from, to;

    (void) size;
    if (!contains(object, search->address)) {
        return 0;
    }
    for (p = object->dlpi_phdr; p < object->dlpi_phdr + object->dlpi_phnum; p++) {
        from = (object->dlpi_addr + p->p_vaddr + page - 1) & ~(page - 1);
        to = (object->dlpi_addr + p->p_vaddr + p->p_memsz) & ~(page - 1);
        if (p->p_type == PT_LOAD && (p->p_flags & PF_W) == 0 && from < to
            && madvise((void *) from, to - from, MADV_DONTNEED) == 0) {
            search->released += to - from;
        }
    }
    return 1;
}

/* Code and constants are never written, so the system reads what is needed from the file again, of which it has a copy. */
size_t waf_release_pages(void)
{
    struct search search = {.address = (uintptr_t) release_object};

    dl_iterate_phdr(release_object, &search);
    return search.released;
}
