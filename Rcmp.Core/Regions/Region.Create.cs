using Rcmp.Native;

namespace Rcmp.Regions;

internal sealed unsafe partial class Region
{
    /// <summary>Formats a region: a new file, or one that holds none, or any with <see cref="RegionCreateOptions.Force"/>. A daemon opens it afterwards.</summary>
    public static RegionLayout Create(string path, RegionCreateOptions options)
    {
        // What can be refused without touching the file is refused first.
        var layout = options.SizeBytes > 0 ? RegionPlan.Compute(options, RoundSize(options.SizeBytes)) : null;
        var existed = File.Exists(path);
        if (existed && !options.Force)
            RefuseRegion(path);
        using var file = SystemCalls.FileDescriptor.TryOpen(path, true, true, out var errno)
            ?? throw new RegionResourceException($"The region {path} cannot be created: {SystemErrors.Describe(errno)}.");
        try
        {
            using var sidecar = OpenSidecar(path, file);
            Lock(path, file, sidecar, TimeSpan.Zero);
            layout = Size(path, file, options, layout);
            Format(path, file, options, layout);
            return layout;
        }
        catch when (!existed)
        {
            File.Delete(path);
            throw;
        }
    }

    private static long RoundSize(long bytes) => RegionPlan.AlignUp(bytes, RegionLayout.ZoneAlignment);

    private static void RefuseRegion(string path)
    {
        using var file = OpenFile(path, true);
        if (SystemCalls.Size(file.Number) >= RegionLayout.ZoneAlignment && Superblock.HasMagic(PeekSuperblock(path, file)))
            throw new RegionBusyException($"{path} holds a region already: --force formats it anew, and all its pages are lost.");
    }

    /// <summary>Gives the file its size, or fits the layout to the device.</summary>
    private static RegionLayout Size(string path, SystemCalls.FileDescriptor file, RegionCreateOptions options, RegionLayout? layout)
    {
        var kind = (RegionFileKind)SystemCalls.FileKind(file.Number);
        switch (kind)
        {
            case RegionFileKind.Dax:
                var device = SystemCalls.Size(file.Number);
                layout ??= RegionPlan.Compute(options, device / RegionLayout.ZoneAlignment * RegionLayout.ZoneAlignment);
                if (layout.RegionBytes > device)
                    throw new RegionResourceException($"{path} has {device} bytes, {layout.RegionBytes} were asked for: change --size.");
                return layout;
            case RegionFileKind.SharedMemory or RegionFileKind.HugePages or RegionFileKind.File:
                if (layout is null)
                    throw new RegionOptionsException($"{path} is a file and has no size of its own: give --size.");
                MakeRoom(path, file, kind, options, layout);
                return layout;
            default:
                throw new RegionResourceException($"{path} is neither a file nor a dax device.");
        }
    }

    private static void TakeHugePages(string path, SystemCalls.FileDescriptor file, long bytes)
    {
        if (SystemCalls.Allocate(file.Number, 0, bytes) != 0)
        {
            throw new RegionResourceException(
                $"{path}: {bytes} bytes of huge pages are not free (HugePages_Free in /proc/meminfo): raise /proc/sys/vm/nr_hugepages, or change --size.");
        }
    }

    /// <summary>Gives the file its room now.</summary>
    private static void MakeRoom(string path, SystemCalls.FileDescriptor file, RegionFileKind kind, RegionCreateOptions options, RegionLayout layout)
    {
        if (kind == RegionFileKind.HugePages && SystemCalls.BlockSize(file.Number) is var pageBytes && RegionLayout.ZoneAlignment % pageBytes != 0)
            throw new RegionResourceException($"{path}: huge pages of {pageBytes} bytes are too large, a region's zones are aligned to 2 MiB: use a mount of 2 MiB pages.");
        CheckSystem(path, "ftruncate", SystemCalls.Truncate(file.Number, 0));
        // Without room, a first touch later would end the process that does it with SIGBUS.
        // A hugetlbfs mount without a limit reports no free bytes: there, taking the pages tells.
        var free = kind == RegionFileKind.HugePages ? -1 : SystemCalls.FreeBytes(file.Number);
        if (free >= 0 && free < layout.RegionBytes)
        {
            throw new RegionResourceException(
                $"{path}: {layout.RegionBytes} bytes do not fit, {free} are free there: change --size, or choose another directory.");
        }

        CheckSystem(path, "ftruncate", SystemCalls.Truncate(file.Number, layout.RegionBytes));
        if (kind == RegionFileKind.HugePages)
            TakeHugePages(path, file, layout.RegionBytes);
        else if (options.NumaNode is null)
            CheckSystem(path, "fallocate", SystemCalls.Allocate(file.Number, 0, options.Populate ? layout.RegionBytes : layout.FramesOffset));
    }

    private static void Format(string path, SystemCalls.FileDescriptor file, RegionCreateOptions options, RegionLayout layout)
    {
        using var mapping = RegionMapping.Map(path, file, layout, true, true);
        // Before the first touch: the policy belongs to the file and places what is taken from then on.
        if (options.NumaNode is { } node)
            CheckSystem(path, $"binding to NUMA node {node}", SystemCalls.BindNode(mapping.Address, layout.RegionBytes, node));
        if (options.Populate)
            CheckSystem(path, "populating", SystemCalls.Advise(mapping.Address, layout.RegionBytes, (int)MemoryAdvice.PopulateWrite));
        // Until the superblock is whole the file is no region: it comes last.
        new Span<byte>((void*)mapping.Address, RegionLayout.SuperblockBytes).Clear();
        for (long offset = RegionLayout.SuperblockBytes; offset < layout.FramesOffset; offset += RegionLayout.ZoneAlignment)
        {
            var length = Math.Min(RegionLayout.ZoneAlignment, layout.FramesOffset - offset);
            new Span<byte>((byte*)mapping.Address + offset, (int)length).Clear();
        }

        StateCopies.Format((byte*)mapping.Address + layout.StateOffset);
        Span<byte> block = stackalloc byte[RegionLayout.SuperblockBytes];
        Superblock.Write(layout, block);
        Interlocked.MemoryBarrier();
        block.CopyTo(new Span<byte>((void*)mapping.Address, RegionLayout.SuperblockBytes));
    }

    private static void CheckSystem(string path, string what, int result)
    {
        if (result < 0)
            throw new RegionResourceException($"{path}: {what} failed: {SystemErrors.Describe(-result)}.");
    }
}
