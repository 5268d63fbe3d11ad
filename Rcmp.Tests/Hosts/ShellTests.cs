using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Shell;

namespace Rcmp.Tests.Hosts;

public sealed class ShellTests : IAsyncLifetime
{
    private IMemoryPool _pool = null!;

    public async ValueTask InitializeAsync() => _pool = await RcmpPool.StartEmbeddedAsync(new EmbeddedPoolOptions { RegionSize = 16 << 20 });

    public ValueTask DisposeAsync() => _pool.DisposeAsync();

    [Fact]
    public async Task WhatIsWrittenIsRead()
    {
        var address = await AllocateAsync();

        Assert.Equal("ok 3 bytes", await DoAsync($"write {address} 00ff10"));
        Assert.Equal("00ff10", await DoAsync($"read {address} 3"));
        Assert.Equal("ok", await DoAsync($"w {address} 42"));
        Assert.Equal("42", await DoAsync($"r {address}"));
    }

    [Fact]
    public async Task AtomicsPrintWhatWasThere()
    {
        var address = await AllocateAsync();

        Assert.Equal("0", await DoAsync($"xchg {address} 7"));
        Assert.Equal("7", await DoAsync($"cas {address} 7 9"));
        Assert.Equal("9", await DoAsync($"cas {address} 7 11"));
        Assert.Equal("9", await DoAsync($"faa {address} 5"));
        Assert.Equal("14", await DoAsync($"r {address}"));
    }

    [Fact]
    public async Task AllocationPrintsTheAddressFirstAndFreeGivesItBack()
    {
        var line = await DoAsync("a 3");

        Assert.Matches("^0x[0-9a-f]{16} 3 pages$", line);
        Assert.Equal("ok 3 pages freed", await DoAsync($"f {line.Split(' ')[0]} 3"));
    }

    [Fact]
    public async Task LocateSaysWhereThePageIs()
    {
        var address = await AllocateAsync();

        Assert.Contains("rack 1 epoch", await DoAsync($"locate {address}"));
        Assert.StartsWith("ok ", await DoAsync($"pin {address}"));
    }

    [Theory]
    [InlineData("frobnicate")]
    [InlineData("alloc")]
    [InlineData("alloc 0")]
    [InlineData("alloc -1")]
    [InlineData("alloc many")]
    [InlineData("alloc 1 2")]
    [InlineData("alloc 99999999999999999999")]
    [InlineData("r")]
    [InlineData("r nowhere")]
    [InlineData("r 0")]
    [InlineData("r 0x0")]
    [InlineData("w 0x1000000001000 twelve")]
    [InlineData("w 0x1000000001000 99999999999999999999")]
    [InlineData("read 0x1000000001000 0")]
    [InlineData("read 0x1000000001000 999999999999")]
    [InlineData("write 0x1000000001000 0f0")]
    [InlineData("write 0x1000000001000 zz")]
    [InlineData("cas 0x1000000001001 0 1")]
    [InlineData("r 0xfffffffffffffffff")]
    [InlineData("read 0xffffffffffffffff 64")]
    public async Task ABadLinePrintsOneErrorAndTheShellGoesOn(string line)
    {
        var shown = await RunAsync(line + "\nalloc 1\n");

        Assert.Equal(2, shown.Length);
        Assert.StartsWith("error: ", shown[0]);
        Assert.StartsWith("0x", shown[1]);
    }

    [Fact]
    public async Task AFreedAddressAndASecondFreeAreErrors()
    {
        var address = await AllocateAsync();
        await DoAsync($"free {address}");

        Assert.StartsWith("error: ", await DoAsync($"r {address}"));
        Assert.StartsWith("error: ", await DoAsync($"free {address}"));
    }

    [Fact]
    public async Task MoreThanThePoolHasIsAnErrorAndNothingIsLost()
    {
        Assert.StartsWith("error: ", await DoAsync("alloc 1000000"));
        // The frames that the refused allocation had taken come back behind the answer.
        var line = "";
        for (var tries = 0; tries < 200 && !line.StartsWith("0x", StringComparison.Ordinal); tries++)
        {
            line = await DoAsync("alloc 100");
            await Task.Delay(20);
        }

        Assert.StartsWith("0x", line);
    }

    [Fact]
    public async Task BlankLinesAndRemarksPrintNothingAndQuitEnds()
    {
        Assert.Empty(await RunAsync("\n  \n# a remark\nq\nalloc 1\n"));
    }

    [Fact]
    public async Task HelpNamesEveryCommand()
    {
        var help = await DoAsync("?");

        foreach (var name in new[] { "alloc", "free", "read", "write", "r ADDR", "w ADDR", "xchg", "cas", "faa", "pin", "locate", "stats", "help", "quit" })
            Assert.Contains(name, help);
    }

    private async Task<string> AllocateAsync() => (await DoAsync("alloc 1")).Split(' ')[0];

    private async Task<string> DoAsync(string line) => string.Join('\n', await RunAsync(line));

    private async Task<string[]> RunAsync(string input)
    {
        var output = new StringWriter();
        var io = new CommandIo(new StringReader(input), output, TextWriter.Null, false, false);
        await new PoolShell(_pool, io, () => "none").RunAsync(TestContext.Current.CancellationToken);
        return output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
