using System.Runtime.InteropServices;

namespace Rcmp.DataPath;

/// <summary>Where hits of a client look that may not take the short way: no page is there. Never given back, since a thread may look long after its client was closed; one for
/// all clients of the process, as long as the longest table needs it. Zeroed memory that is only read costs address space, hardly memory.</summary>
internal static unsafe class EmptyHitTable
{
    private static readonly Lock Gate = new();
    private static nint Table;
    private static long Words;

    public static nint OfWords(long words)
    {
        lock (Gate)
        {
            if (words > Words)
            {
                // Powers of two, so all the shorter ones together are no longer than the last.
                Table = (nint)NativeMemory.AllocZeroed((nuint)words, sizeof(ulong));
                Words = words;
            }

            return Table;
        }
    }
}
