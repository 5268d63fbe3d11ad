namespace Rcmp.DataPath;
internal sealed class SlabAllocator(PoolClient client, PageGeometry geometry)
{
    public Task<GAddr> AllocateAsync(long bytes, CancellationToken ct) => throw new NotSupportedException(client.ToString() + geometry);
    public Task<bool> FreeAsync(GAddr address, CancellationToken ct) => throw new NotSupportedException();
}
