using System.Globalization;
using Rcmp.Hosts.Cli;

namespace Rcmp.Hosts.Shell;

/// <summary>Reads commands, line by line, and prints one line per result. A line that fails prints <c>error: …</c>, and the shell goes on.</summary>
internal sealed class PoolShell
{
    private const int ReadMax = 16 << 20;
    private const string Prompt = "rcmp> ";

    private readonly IMemoryPool _pool;
    private readonly CommandIo _io;
    private readonly ShellCommand[] _commands;
    private readonly Dictionary<string, ShellCommand> _byName;
    private readonly Func<string> _statistics;
    private bool _quit;

    public PoolShell(IMemoryPool pool, CommandIo io, Func<string> statistics)
    {
        _pool = pool;
        _io = io;
        _statistics = statistics;
        _commands = Commands();
        _byName = _commands.SelectMany(c => new[] { c.Name, c.Alias }.OfType<string>().Select(n => (n, c))).ToDictionary(p => p.n, p => p.c);
    }

    /// <summary>Until <c>quit</c> or the end of input.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        if (_io.InIsTerminal) _io.Out.WriteLine($"Rack {_pool.Info.Rack} of pool {_pool.Info.PoolId}, pages of {new ByteSize(_pool.Info.PageSize)}. 'help' lists the commands.");
        while (!_quit)
        {
            if (_io.InIsTerminal) _io.Out.Write(Prompt);
            _io.Out.Flush();
            // A read of the terminal cannot be cancelled, so it must not hold up the end of the program.
            var line = await Task.Run(_io.In.ReadLine, CancellationToken.None).WaitAsync(ct);
            if (line is null) break;
            if (await ExecuteAsync(line, ct) is { } result) _io.Out.WriteLine(result);
        }
        _io.Out.Flush();
    }

    /// <summary>Carries out one line; null if it was empty.</summary>
    public async ValueTask<string?> ExecuteAsync(string line, CancellationToken ct)
    {
        var words = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        if (words.Length == 0 || words[0].StartsWith('#')) return null;
        try
        {
            if (!_byName.TryGetValue(words[0], out var command))
            {
                var nearest = Suggestions.Nearest(words[0], _byName.Keys);
                return $"error: unknown command '{Printable.Line(words[0])}'" + (nearest is null ? " ('help' lists them)" : $": did you mean '{nearest}'?");
            }
            var count = words.Length - 1;
            if (count < command.ArgumentsMin || count > command.ArgumentsMax) return $"error: usage: {command.Usage}";
            return await command.Run(new ShellArguments(words[1..]), ct);
        }
        catch (ShellUsageException mistake)
        {
            return $"error: {Printable.Line(mistake.Message)}";
        }
        catch (Exception failure) when (failure is PoolException or ArgumentException or OverflowException or TimeoutException)
        {
            return $"error: {Failures.OneLine(failure)}";
        }
    }

    private ShellCommand[] Commands() =>
    [
        new("alloc", "a", "N", "allocate N pages; prints the address of the first", AllocateAsync),
        new("free", "f", "ADDR [N]", "free N pages (1)", FreeAsync),
        new("read", null, "ADDR LEN", "read LEN bytes; prints them in hexadecimal", ReadAsync),
        new("write", null, "ADDR HEX", "write bytes given in hexadecimal", WriteAsync),
        new("r", null, "ADDR", "read 8 bytes; prints them in decimal", async (a, ct) => Print(await ReadWordAsync(a.Address(0), ct))),
        new("w", null, "ADDR INT", "write 8 bytes", WriteWordAsync),
        new("xchg", null, "ADDR INT", "replace 8 bytes; prints what was there", async (a, ct) => Print(await _pool.ExchangeAsync(a.Address(0), a.Word(1), ct))),
        new("cas", null, "ADDR EXPECTED DESIRED", "replace 8 bytes if they are EXPECTED; prints what was there",
            async (a, ct) => Print(await _pool.CompareExchangeAsync(a.Address(0), a.Word(2), a.Word(1), ct))),
        new("faa", null, "ADDR N", "add N to 8 bytes; prints what was there", async (a, ct) => Print(await _pool.FetchAddAsync(a.Address(0), a.Word(1), ct))),
        new("pin", null, "ADDR", "bring the page to this rack", PinAsync),
        new("locate", null, "ADDR", "where the page is, its heat, and why it moved or stayed", LocateAsync),
        new("stats", null, "", "what this client has done so far", (_, _) => Now(_statistics())),
        new("help", "?", "", "this list", (_, _) => Now(Help())),
        new("quit", "q", "", "end", (_, _) => Now(Quit())),
    ];

    private static ValueTask<string?> Now(string? line) => ValueTask.FromResult(line);

    private static string Print(ulong word) => word.ToString(CultureInfo.InvariantCulture);

    private async ValueTask<string?> AllocateAsync(ShellArguments arguments, CancellationToken ct)
    {
        var count = arguments.Count(0, long.MaxValue / _pool.Info.PageSize);
        var address = await _pool.AllocatePagesAsync(count, null, ct);
        return $"{address} {count} {(count == 1 ? "page" : "pages")}";
    }

    private async ValueTask<string?> FreeAsync(ShellArguments arguments, CancellationToken ct)
    {
        var address = arguments.Address(0);
        var count = arguments.Has(1) ? arguments.Count(1, long.MaxValue / _pool.Info.PageSize) : 1;
        await _pool.FreePagesAsync(address, count, ct);
        return $"ok {count} {(count == 1 ? "page" : "pages")} freed";
    }

    private async ValueTask<string?> ReadAsync(ShellArguments arguments, CancellationToken ct)
    {
        var address = arguments.Address(0);
        var bytes = new byte[arguments.Count(1, ReadMax)];
        await _pool.ReadAsync(address, bytes, ct);
        return Convert.ToHexStringLower(bytes);
    }

    private async ValueTask<string?> WriteAsync(ShellArguments arguments, CancellationToken ct)
    {
        var address = arguments.Address(0);
        var bytes = arguments.Bytes(1);
        await _pool.WriteAsync(address, bytes, ct);
        return $"ok {bytes.Length} {(bytes.Length == 1 ? "byte" : "bytes")}";
    }

    // Through the asynchronous form, so that Ctrl-C ends a wait for a page.
    private async ValueTask<ulong> ReadWordAsync(GAddr address, CancellationToken ct)
    {
        var bytes = new byte[8];
        await _pool.ReadAsync(address, bytes, ct);
        return BitConverter.ToUInt64(bytes);
    }

    private async ValueTask<string?> WriteWordAsync(ShellArguments arguments, CancellationToken ct)
    {
        var address = arguments.Address(0);
        await _pool.WriteAsync(address, BitConverter.GetBytes(arguments.Word(1)), ct);
        return "ok";
    }

    private async ValueTask<string?> PinAsync(ShellArguments arguments, CancellationToken ct)
    {
        using var page = await _pool.PinAsync(arguments.Address(0), ct);
        return $"ok {page.Address} is in rack {_pool.Info.Rack}";
    }

    private async ValueTask<string?> LocateAsync(ShellArguments arguments, CancellationToken ct) =>
        Describe(await _pool.LocateAsync(arguments.Address(0), ct));

    /// <summary>A location in one line.</summary>
    public static string Describe(PageLocation location)
    {
        var heat = string.Join(", ", location.Heat.Select(h => $"rack {h.Rack} {h.Value.ToString("0.##", CultureInfo.InvariantCulture)}"));
        return $"{location.Address} page {location.PageId} rack {location.Owner} epoch {location.Epoch} {location.Phase}; heat: {(heat.Length == 0 ? "none" : heat)}; "
            + $"last decision: {(string.IsNullOrEmpty(location.LastDecision) ? "none" : location.LastDecision)}";
    }

    private string Help()
    {
        var width = _commands.Max(c => Left(c).Length);
        return string.Join(Environment.NewLine, _commands.Select(c => $"{Left(c).PadRight(width)}  {c.Help}"))
            + $"{Environment.NewLine}Addresses: 0x and hexadecimal digits. Integers: decimal, or hexadecimal with 0x.";

        static string Left(ShellCommand command) => command.Alias is null ? command.Usage : $"{command.Usage} ({command.Alias})";
    }

    private string? Quit()
    {
        _quit = true;
        return null;
    }
}
