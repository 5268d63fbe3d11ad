using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Rcmp.Tests.Samples;

/// <summary>A service of a generic host that uses the pool: <c>AddRcmpClient</c> connects it before the service starts.</summary>
internal static class HostedSample
{
    /// <param name="rack">Host and port of the rack daemon on this machine, as in <c>rcmp.client.rack</c>.</param>
    /// <returns>What the service counted.</returns>
    public static async Task<ulong> RunAsync(string rack)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Services.AddRcmpClient(options => options.Rack = rack);
        builder.Services.AddSingleton<VisitCounter>();
        using var host = builder.Build();
        await host.StartAsync();
        var visits = await host.Services.GetRequiredService<VisitCounter>().CountAsync(3);
        await host.StopAsync();
        return visits;
    }

    private sealed class VisitCounter(IMemoryPool pool)
    {
        public async Task<ulong> CountAsync(int visits)
        {
            var counter = await pool.AllocateAsync(sizeof(ulong));
            for (var i = 0; i < visits; i++) pool.FetchAdd(counter, 1);
            var counted = pool.Read<ulong>(counter);
            await pool.FreeAsync(counter);
            return counted;
        }
    }
}
