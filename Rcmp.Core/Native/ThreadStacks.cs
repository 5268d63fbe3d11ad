using System.Runtime.InteropServices;

namespace Rcmp.Native;

/// <summary>What the shim's threads.c offers. Returns 0, or a negative errno.</summary>
internal static unsafe partial class ThreadStacks
{
    private const string Library = "rcmpshim";

    [LibraryImport(Library, EntryPoint = "rcmp_threads_watch")]
    public static partial int Watch(ulong* words, int count);

    [LibraryImport(Library, EntryPoint = "rcmp_threads_unwatch")]
    public static partial void Unwatch(ulong* words);

    [LibraryImport(Library, EntryPoint = "rcmp_threads_announce")]
    public static partial int Announce(out ulong low, out ulong high);
}
