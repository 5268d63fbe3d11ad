using System.CommandLine;
using System.CommandLine.Parsing;
using Rcmp.Hosts.Cli;
using Rcmp.Regions;

namespace Rcmp.Hosts.Commands;

internal sealed class RegionCreateCommand : RcmpCommand
{
    private readonly Argument<string> _path = new("PATH") { Description = "A file on /dev/shm or a hugetlbfs mount, or a device /dev/daxX.Y." };
    private readonly Option<ByteSize?> _size = SharedOptions.Size("--size", "The region's size; required for a file, all of it for a device.");
    private readonly Option<ByteSize?> _pageSize = SharedOptions.Size("--page-size", "The pool's page size, a power of two from 4KiB to 2MiB (default 4KiB).");
    private readonly Option<long?> _numaNode = SharedOptions.Count("--numa-node", "Bind the memory to this NUMA node.", 0, 1023);
    private readonly Option<long?> _sessions = SharedOptions.Count("--sessions", "Client sessions at a time (default: by the region's size, 31 to 127).", 1, 4095);
    private readonly Option<long?> _guardSlots = SharedOptions.Count("--guard-slots", "Guard slots per session (default: by the region's size, 64 to 256).", 4, 1024);
    private readonly Option<bool> _hugePages = new("--huge-pages") { Description = "Map it in huge pages (a hugetlbfs file is so anyway)." };
    private readonly Option<bool> _populate = new("--populate") { Description = "Take all memory now, not at first touch." };
    private readonly Option<bool> _force = new("--force") { Description = "Format even if there is a region already: its pages are lost." };

    private readonly Option<Guid?> _pool = new("--pool")
    {
        HelpName = "UUID",
        Description = "The pool it belongs to, rcmp.pool.id (default: a new one, printed).",
        CustomParser = ParsePool,
    };

    public RegionCreateCommand()
        : base("create", "Format a region.")
    {
        Add(_path);
        foreach (var option in new Option[] { _size, _pageSize, _pool, _sessions, _guardSlots, _numaNode, _hugePages, _populate, _force }) Add(option);
    }

    public override Task<int> RunAsync(CommandContext context, CancellationToken ct)
    {
        var path = context.Get(_path);
        var options = new RegionCreateOptions
        {
            PoolId = context.Get(_pool) ?? Guid.NewGuid(),
            SizeBytes = context.Get(_size)?.Bytes ?? 0,
            PageSizeBytes = (int)Math.Min(context.Get(_pageSize)?.Bytes ?? PageGeometry.PageSizeMin, int.MaxValue),
            SessionCount = (int)(context.Get(_sessions) + 1 ?? 0),
            SlotsPerSession = (int)(context.Get(_guardSlots) ?? 0),
            NumaNode = (int?)context.Get(_numaNode),
            HugePages = context.Get(_hugePages),
            Populate = context.Get(_populate),
            Force = context.Get(_force),
        };
        if (!options.Force && HoldsRegion(path)) throw CommandException.Usage($"{path} holds a region already: --force formats it anew, and all its pages are lost");
        var layout = Create(path, options);
        context.Out.WriteLine($"{path}: region {layout.RegionId} of pool {layout.PoolId}, {new ByteSize(layout.RegionBytes)}, {layout.FrameCount} frames of {new ByteSize(layout.PageSize)}");
        return Task.FromResult(ExitCodes.Done);
    }

    /// <summary>A region that is too small for its tables may be so for the sake of an option other than its size.</summary>
    private static RegionLayout Create(string path, RegionCreateOptions options)
    {
        try
        {
            return Region.Create(path, options);
        }
        catch (RegionOptionsException tooSmall) when (options.SizeBytes > 0 && PageGeometry.IsValidPageSize(options.PageSizeBytes) && options.SessionCount + options.SlotsPerSession > 0)
        {
            List<string> given = [];
            if (options.SessionCount > 0) given.Add($"--sessions ({options.SessionCount - 1})");
            if (options.SlotsPerSession > 0) given.Add($"--guard-slots ({options.SlotsPerSession})");
            throw CommandException.Usage($"{tooSmall.Message} Or lower {string.Join(" or ", given)}.");
        }
    }

    private static Guid? ParsePool(ArgumentResult result)
    {
        var text = result.Tokens[^1].Value;
        if (Guid.TryParse(text, out var pool) && pool != Guid.Empty) return pool;
        result.AddError($"--pool: '{text}' is not a UUID such as 6f1b0a52-3c0e-4d53-9d53-2a6c8f0d7e11");
        return null;
    }

    private static bool HoldsRegion(string path)
    {
        if (!File.Exists(path)) return false;
        try
        {
            using var region = Region.OpenInspector(path);
            return true;
        }
        catch (PoolException)
        {
            // Whatever it is, formatting it says so.
            return false;
        }
    }
}
